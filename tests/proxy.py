"""A connection that is cut."""
import socket
import threading


class Proxy:
    """Passes bytes to a port, and cuts the connections after so many bytes of answers."""

    def __init__(self, port, cut_after):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.target, self.cut_after, self.cuts, self.passed = port, cut_after, 0, 0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.target))
            threading.Thread(target=self.pump, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self.pump, args=(server, client, True), daemon=True).start()

    def pump(self, source, sink, counted):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
                if counted:
                    self.passed += len(data)
                    if self.cuts < 3 and self.passed > self.cut_after * (self.cuts + 1):
                        self.cuts += 1
                        break
        except OSError:
            pass
        for each in (source, sink):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.listener.close()
