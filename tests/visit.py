"""A page of the site open in the browser, with everything that went wrong on it."""

DESK = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}


class Visit:
    """One page open in the browser, with everything that went wrong on it."""

    def __init__(self, browser, address, **options):
        self.context = browser.new_context(**{"viewport": DESK, **options})
        self.page = self.context.new_page()
        self.address = address
        self.faults = []
        self.page.on("console", self._note_message)
        self.page.on("request", self._note_foreign)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on(
            "requestfailed",
            lambda request: self.faults.append(f"failed: {request.url}"),
        )
        self.page.on("response", self._note_status)

    def _note_message(self, message):
        """Note what the console calls an error or a warning."""
        if message.type in ("error", "warning"):
            self.faults.append(message.text)

    def _note_foreign(self, request):
        """Note a request to another host."""
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.faults.append(f"another host: {request.url}")

    def _note_status(self, response):
        """Note an answer that is none."""
        if response.status >= 400:
            self.faults.append(f"{response.status}: {response.url}")

    def open(self, name):
        """Open the page and wait until it has loaded everything."""
        self.page.goto(f"{self.address}/{name}.html", wait_until="networkidle")
        return self

    def resize(self, size):
        """Give the page this size, and let it do what it does when its size changes."""
        if self.page.viewport_size != size:
            self.page.set_viewport_size(size)
            self.page.wait_for_timeout(
                400
            )  # the theme waits 300 ms for the last change

    def close(self):
        """Close the page."""
        self.context.close()
