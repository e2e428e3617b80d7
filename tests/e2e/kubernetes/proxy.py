"""A TCP proxy between a director and an API server: it can look at each request before the server does, or be a bad
network. One thread a direction; ends with its context."""
import contextlib
import random
import socket
import ssl
import threading
import time


class Proxy:
    """Context manager. `tls`: the client's context for the server's side, so that requests are plain on ours, and
    `before(method, target, headers, body)` is called with each before it goes on. Without it bytes pass as they are."""

    def __init__(self, host, port, tls=None, before=None, seed=None):
        self.server, self.tls, self.before = (host, port), tls, before
        self.random, self.faults, self.cut, self.silenced = random.Random(seed), False, 0, 0
        self.open, self.lock, self.ended = set(), threading.Lock(), False

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.ended = True
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.close_all()

    def close_all(self):
        with self.lock:
            sockets, self.open = self.open, set()
        for each in sockets:
            self.close(each)

    def close(self, *sockets):
        for each in sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def accept(self):
        while not self.ended:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        try:
            server = socket.create_connection(self.server, 10)
            server.settimeout(None)
            if self.tls:
                server = self.tls.wrap_socket(server, server_hostname=self.server[0])
        except OSError:
            self.close(client)
            return
        with self.lock:
            self.open |= {client, server}
        threading.Thread(target=self.pump, args=(server, client), daemon=True).start()
        (self.requests if self.before else self.pump)(client, server)

    def pump(self, source, to):
        """Bytes as they come; with faults: late, in splinters, cut in the middle, or into nothing."""
        left = None
        with contextlib.suppress(OSError, ssl.SSLError, ValueError):
            while piece := source.recv(65536):
                if self.faults:
                    fault = self.random.random()
                    time.sleep(self.random.uniform(0, 0.05))
                    if left is None and fault < 0.02:
                        left = self.random.randrange(4000)
                    if fault > 0.995:
                        self.silenced += 1
                        while source.recv(65536):
                            pass
                        break
                    if left is not None and left < len(piece):
                        self.cut += 1
                        to.sendall(piece[:left])
                        break
                    left = None if left is None else left - len(piece)
                    while len(piece) > 1 and self.random.random() < 0.5:
                        at = self.random.randrange(1, len(piece))
                        to.sendall(piece[:at])
                        piece = piece[at:]
                        time.sleep(self.random.uniform(0, 0.01))
                to.sendall(piece)
        self.close(source, to)

    def requests(self, client, server):
        data = b""
        with contextlib.suppress(OSError, ssl.SSLError, ValueError):
            while True:
                while b"\r\n\r\n" not in data:
                    piece = client.recv(65536)
                    if not piece:
                        raise OSError("closed")
                    data += piece
                head, _, data = data.partition(b"\r\n\r\n")
                first, *lines = head.decode("latin-1").split("\r\n")
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
                while len(data) < int(headers.get("content-length", 0)):
                    piece = client.recv(65536)
                    if not piece:
                        raise OSError("closed")
                    data += piece
                length = int(headers.get("content-length", 0))
                body, data = data[:length], data[length:]
                method, target, _ = first.split(" ")
                self.before(method, target, headers, body)
                server.sendall(head + b"\r\n\r\n" + body)
        self.close(client, server)
