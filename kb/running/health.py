"""Whether the web server answers. As a program it is the health check of a container."""

import http.client
import sys


def answers(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=4)
    try:
        connection.request("GET", "/healthz", headers={"Host": "localhost"})
        # Where ALLOWED_HOSTS leaves out localhost it answers 400, and that is an answer.
        return connection.getresponse().status < http.HTTPStatus.INTERNAL_SERVER_ERROR
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(not answers(sys.argv[1], int(sys.argv[2])))
