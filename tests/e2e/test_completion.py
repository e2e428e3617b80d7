"""The completion scripts in the shells they are for: syntax, commands, options, names of LoadTests, files."""
import os
import pty
import re
import select
import shutil
import subprocess
import time
import unittest

from tests.e2e.harness import Case, Director, environment, run_atq, wait_for


def lines(text):
    """The candidates, without fish's descriptions."""
    return [line.split("\t")[0] for line in text.splitlines()]


class Completion(Case):
    def setUp(self):
        super().setUp()
        self.env = {**environment(), "HOME": str(self.folder.path), "ATQ_DATA": str(self.folder.data)}

    def script(self, shell):
        if shutil.which(shell) is None:
            self.skipTest(f"{shell} is not installed: apt-get install {shell}")
        made = run_atq("completion", shell, env=self.env)
        self.assertEqual(made.returncode, 0, made.stderr)
        file = self.folder.path / ("_atq" if shell == "zsh" else f"atq.{shell}")
        file.write_text(made.stdout)
        return file

    def sh(self, *command):
        done = subprocess.run(command, capture_output=True, text=True, env=self.env, cwd=self.folder.tests, timeout=30)
        self.assertEqual((done.returncode, done.stderr), (0, ""), command)
        return done.stdout

    def with_tests(self):
        """A director with two LoadTests that start nothing."""
        for file in ("alpha.yaml", "beta.yaml", "team/gamma.yaml"):
            name = file.removesuffix(".yaml").split("/")[-1]
            self.folder.loadtest(name, {"worker": {"command": ["true"]}, "runPolicy": {"suspend": True}}, file)
        director = self.enterContext(Director(self.folder, self.env))
        wait_for("the tests", lambda: all(map(director.get, ("alpha", "beta", "team/gamma"))))

    def check(self, complete):
        """`complete(words…)`: what is offered for the last of the words."""
        self.assertIn("run", complete("atq", "ru"))
        self.assertNotIn("get", complete("atq", "ru"))
        self.assertIn("--replicas", complete("atq", "run", "--re"))
        self.assertEqual(sorted(complete("atq", "completion", "")), ["bash", "fish", "zsh"])
        self.with_tests()
        self.assertEqual(sorted(complete("atq", "describe", "")), ["alpha", "beta", "team/gamma"])
        self.assertEqual(complete("atq", "describe", "al"), ["alpha"])
        self.assertIn("alpha.yaml", complete("atq", "validate", "al"))

    def test_bash(self):
        file = self.script("bash")
        self.sh("bash", "-n", file)

        def complete(*words):
            program = f"""source {file}; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _atq; printf '%s\\n' "${{COMPREPLY[@]}}" """
            return lines(self.sh("bash", "--norc", "-c", program, "bash", *words))
        self.check(complete)
        (self.folder.tests / "one two.yaml").write_text("")
        self.assertEqual(complete("atq", "validate", "one"), ["one two.yaml"])

    def test_fish(self):
        file = self.script("fish")
        self.sh("fish", "--no-config", "--no-execute", file)
        self.check(lambda *words: lines(self.sh("fish", "--no-config", "-c", f"source {file}; complete -C '{' '.join(words)}'")))

    def test_zsh(self):
        file = self.script("zsh")
        self.sh("zsh", "-n", file)
        self.check(lambda *words: self.zsh(file, " ".join(words)))

    def zsh(self, file, line):
        """Types the line and Tab into an interactive zsh; each completion it adds is written to a file instead."""
        told = self.folder.path / "told"
        told.write_text("")
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.folder.tests)
            os.execvpe("zsh", ["zsh", "-f", "-i"], {**self.env, "TERM": "dumb", "PS1": "> "})
        try:
            # compadd is what every completion function ends in: -O gives what of its words matches what was typed.
            os.write(terminal, f"""autoload -U compinit; compinit -u -D; source {file}
compadd() {{ local -a hits; builtin compadd -O hits "$@"; print -l -- $hits >> {told}; builtin compadd "$@" }}
done-with() {{ zle complete-word; print end >> {told} }}; zle -N done-with; bindkey '^T' done-with
print -r -- rea""".encode() + b"dy\n")
            self.read_until(terminal, rb"\nready")
            os.write(terminal, line.encode() + b"\x14")
            wait_for(f"zsh to complete {line!r}", lambda: told.read_text().endswith("end\n"), 10)
            return sorted(set(filter(None, told.read_text().splitlines()[:-1])))
        finally:
            os.close(terminal)
            os.kill(pid, 9)
            os.waitpid(pid, 0)

    def read_until(self, terminal, pattern, seconds=10):
        seen, end = b"", time.monotonic() + seconds
        while not re.search(pattern, seen):
            ready, _, _ = select.select([terminal], [], [], max(0, end - time.monotonic()))
            self.assertTrue(ready, f"zsh said {seen!r}")
            seen += os.read(terminal, 4096)


if __name__ == "__main__":
    unittest.main()
