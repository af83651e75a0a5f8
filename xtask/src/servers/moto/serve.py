"""moto, one request at a time. Its own threads check and then put, so that two creates of one key can both win; behind one lock none can.

usage: serve.py PORT
"""

import io
import sys
import threading

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple

APPLICATION = DomainDispatcherApplication(create_backend_app)
TURN = threading.Lock()


def one_at_a_time(environment, start_response):
    # A client that is slow to send must not make the others wait.
    length = int(environment.get("CONTENT_LENGTH") or 0)
    if length and not environment.get("HTTP_TRANSFER_ENCODING"):
        environment["wsgi.input"] = io.BytesIO(environment["wsgi.input"].read(length))
    with TURN:
        return [b"".join(APPLICATION(environment, start_response))]


run_simple("127.0.0.1", int(sys.argv[1]), one_at_a_time, threaded=True)
