"""Every user makes exactly REQUESTS requests of PATH_TO_GET and stops."""
import os

from locust import HttpUser, constant, task
from locust.exception import StopUser


class CountedUser(HttpUser):
    wait_time = constant(0)

    @task
    def all_of_them(self):
        for _ in range(int(os.environ.get("requests", "20"))):
            self.client.get(os.environ.get("path", "/ok"))
        raise StopUser()
