"""A balancer without memory: each new connection goes to the next server in turn that accepts it."""

import contextlib
import itertools
import socket
import threading


class Balancer:
    def __init__(self, ports):
        self.ports = list(ports)
        self._turns = itertools.count()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self):
        self._listener.close()

    def _serve(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _server(self):
        first = next(self._turns)
        for i in range(len(self.ports)):
            try:
                return socket.create_connection(("127.0.0.1", self.ports[(first + i) % len(self.ports)]), timeout=2)
            except OSError:
                pass
        return None

    def _carry(self, client):
        server = self._server()
        if server is None:
            client.close()
            return
        server.settimeout(None)
        back = threading.Thread(target=self._pump, args=(server, client), daemon=True)
        back.start()
        self._pump(client, server)
        back.join()
        client.close()
        server.close()

    @staticmethod
    def _pump(source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
