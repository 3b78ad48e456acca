"""A mail server on a real socket (aiosmtpd), with STARTTLS and a login when asked for; keeps what it took."""

import email
import email.policy
import socket
import ssl
import threading
import time

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult


class Receiver:
    def __init__(self, certificate=None, key=None, login=None):
        self.messages, self.refusals = [], []
        self.logins = 0
        self.changed = threading.Condition()
        options = {}
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            options |= {"tls_context": context, "require_starttls": True}
        if login:
            options |= {"authenticator": lambda *given: self._login(login, given[-1]), "auth_required": True}
        self.controller = Controller(self, hostname="127.0.0.1", port=0, **options)

    def _login(self, login, given):
        self.logins += 1
        return AuthResult(success=(given.login.decode(), given.password.decode()) == login)

    async def handle_DATA(self, server, session, envelope):
        with self.changed:
            if self.refusals:
                return self.refusals.pop(0)
            parsed = email.message_from_bytes(envelope.content, policy=email.policy.default)
            self.messages.append({"from": envelope.mail_from, "to": envelope.rcpt_tos, "mail": parsed,
                                  "tls": session.ssl is not None})
            self.changed.notify_all()
        return "250 taken"

    def start(self):
        # aiosmtpd's own first connection would go to port 0.
        self.controller._trigger_server = self._touch
        self.controller.start()
        return self

    def _touch(self):
        self.port = self.controller.server.sockets[0].getsockname()[1]
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.recv(100)

    def wait(self, enough, seconds=30):
        """Until enough(messages); answers the messages."""
        deadline = time.monotonic() + seconds
        with self.changed:
            while not enough(self.messages):
                left = deadline - time.monotonic()
                assert left > 0, f"only {self.messages}"
                self.changed.wait(left)
            return list(self.messages)

    def close(self):
        self.controller.stop()
