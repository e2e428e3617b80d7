from locust import HttpUser, constant_throughput, task


class Shopper(HttpUser):
    """Two requests a second: mostly browsing, now and then a checkout."""

    wait_time = constant_throughput(2)

    @task(4)
    def browse(self):
        self.client.get("/browse")

    @task(1)
    def checkout(self):
        self.client.get("/checkout")
