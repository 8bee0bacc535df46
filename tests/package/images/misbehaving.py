"""A web server that misbehaves on demand, and small data sets in the official formats for it to serve."""

import gzip
import hashlib
import io
import pickle
import socket
import struct
import tarfile
import threading
import time
from contextlib import suppress
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

from course_utils._images.catalogue import SOURCES, Address, Archive, Edition


def small_arrays(name, train=30, test=10):
    """What the small data set `name` holds; other images for each name."""
    random, arrays = np.random.default_rng(len(name)), {}
    for split, n in (("train", train), ("test", test)):
        arrays[f"x_{split}"] = random.integers(0, 256, (n, *SOURCES[name].shape), np.uint8)
        arrays[f"y_{split}"] = random.permutation(np.arange(n) % 10).astype(np.uint8)
    return arrays


def idx(array):
    head = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return gzip.compress(head + array.tobytes(), mtime=0)


def tar_of(members):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return gzip.compress(file.getvalue(), 1, mtime=0)


class Python2Pickler(pickle._Pickler):
    """Writes strings as Python 2 wrote them in 2009: as bytes without an encoding."""

    dispatch = dict(pickle._Pickler.dispatch)

    def save_old_string(self, value):
        value = value.encode() if isinstance(value, str) else value
        self.write(b"T" + struct.pack("<i", len(value)) + value)

    def save_global(self, value, name=None):
        homes = {np.ndarray: "numpy\nndarray", np.dtype: "numpy\ndtype"}
        home = homes.get(value, "numpy.core.multiarray\n_reconstruct" if "_reconstruct" in str(value) else None)
        if home is None:
            return super().save_global(value, name)
        self.write(b"c" + home.encode() + b"\n")

    dispatch[str] = dispatch[bytes] = save_old_string
    dispatch[type] = dispatch[type(np.dtype)] = save_global


def python2_pickle(value):
    file = io.BytesIO()
    Python2Pickler(file, protocol=2).dump(value)
    return file.getvalue()


def cifar_batches(arrays):
    parts = list(zip(np.array_split(arrays["x_train"], 5), np.array_split(arrays["y_train"], 5), strict=True))
    names = [f"data_batch_{number}" for number in range(1, 6)]
    return dict(zip(names, parts, strict=True)) | {"test_batch": (arrays["x_test"], arrays["y_test"])}


def binary_archive(arrays):
    members = {"cifar-10-batches-bin/batches.meta.txt": b"airplane\n"}
    for name, (x, y) in cifar_batches(arrays).items():
        rows = np.concatenate([y[:, None], x.transpose(0, 3, 1, 2).reshape(len(x), -1)], 1)
        members[f"cifar-10-batches-bin/{name}.bin"] = rows.tobytes()
    return tar_of(members)


def python_archive(arrays):
    members = {"cifar-10-batches-py/batches.meta": python2_pickle({"label_names": ["airplane"]})}
    for name, (x, y) in cifar_batches(arrays).items():
        rows = np.ascontiguousarray(x.transpose(0, 3, 1, 2)).reshape(len(x), -1)
        batch = {"batch_label": name, "labels": y.tolist(), "data": rows, "filenames": ["a.png"] * len(x)}
        members[f"cifar-10-batches-py/{name}"] = python2_pickle(batch)
    return tar_of(members)


@cache
def small_files():
    """The official files of all three small data sets: name of the data set → name of the file → content."""
    mnist, fashion, cifar = (small_arrays(name) for name in SOURCES)
    keys = {
        "train-images-idx3-ubyte.gz": "x_train",
        "train-labels-idx1-ubyte.gz": "y_train",
        "t10k-images-idx3-ubyte.gz": "x_test",
        "t10k-labels-idx1-ubyte.gz": "y_test",
    }
    return {
        "mnist": {file: idx(mnist[key]) for file, key in keys.items()},
        "fashion_mnist": {file: idx(fashion[key]) for file, key in keys.items()},
        "cifar10": {"cifar-10-binary.tar.gz": binary_archive(cifar), "cifar-10-python.tar.gz": python_archive(cifar)},
    }


def small_sources(files, addresses):
    """The catalogue of the small data sets, each edition at these addresses (with {name} in them)."""
    made = {}
    for name, source in SOURCES.items():
        editions = []
        for edition in source.editions:
            archives = tuple(
                Archive(
                    archive.file, len(files[name][archive.file]), hashlib.md5(files[name][archive.file]).hexdigest()
                )
                for archive in edition.archives
            )
            bases = tuple(Address(address.format(name=name)) for address in addresses)
            editions.append(Edition(edition.form, archives, bases))
        made[name] = source._replace(editions=tuple(editions))
    return made


class Server:
    """Serves `files` at /good/NAME/FILE as it should, and at /FAULT/NAME/FILE with that fault.

    `faults` limits a fault to some files; all others are served well. `seen` lists the requests: path and range.
    `injected` counts the faults. `first` holds the faults that are over after one request.
    """

    def __init__(self, files):
        self.files, self.seen, self.injected, self.only = files, [], 0, None
        self.once, self.spent = False, set()
        self.hold = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                fault, name, file = self.path.strip("/").split("/")
                outer.seen.append((self.path, self.headers.get("Range")))
                self.close_connection = True
                content = outer.files[name].get(file)
                if content is None:
                    return self.answer(404, b"")
                if fault == "good" or (outer.only and file != outer.only) or (outer.once and self.path in outer.spent):
                    return self.well(content)
                outer.injected += 1
                outer.spent.add(self.path)
                with suppress(OSError):  # the client may have gone
                    getattr(self, fault)(name, file, content)

            def answer(self, status, body, headers=(), length=None):
                self.send_response(status)
                for key, value in dict(headers).items():
                    self.send_header(key, value)
                self.send_header("Content-Length", str(len(body) if length is None else length))
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(body)
                self.wfile.flush()

            def start(self):
                """From where on the file is wanted."""
                wanted = self.headers.get("Range")
                return int(wanted.removeprefix("bytes=").split("-")[0]) if wanted else 0

            def part(self, content, claims=None):
                """Status, headers and body of a right answer to a request, ranges included."""
                start = self.start()
                if not start:
                    return 200, {}, content
                return 206, {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}, content[start:]

            def well(self, content):
                status, headers, body = self.part(content)
                self.answer(status, body, headers)

            def late(self, name, file, content):
                """No fault: it takes its time."""
                outer.injected -= 1
                time.sleep(0.5)
                self.well(content)

            # The faults

            def truncated(self, name, file, content):
                status, headers, body = self.part(content)
                self.answer(status, body[: len(body) // 2], headers, length=len(body))

            def truncated_silently(self, name, file, content):
                status, headers, body = self.part(content)
                self.answer(status, body[: len(body) // 2], headers)

            def truncated_unannounced(self, name, file, content):
                self.unannounced(content[: len(content) // 2])

            def unannounced(self, body):
                self.send_response(200)
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(body)

            def too_long(self, name, file, content):
                status, headers, body = self.part(content)
                self.answer(status, body + b"more", headers)

            def too_long_unannounced(self, name, file, content):
                self.unannounced(content + b"x" * 200_000)

            def other_bytes(self, name, file, content):
                status, headers, body = self.part(content)
                self.answer(status, bytes(byte ^ 255 for byte in body), headers)

            def one_other_byte(self, name, file, content):
                status, headers, body = self.part(content)
                self.answer(status, body[:-1] + bytes([body[-1] ^ 1]), headers)

            def forbidden(self, name, file, content):
                self.answer(403, b"<html>no</html>")

            def missing(self, name, file, content):
                self.answer(404, b"<html>no</html>")

            def failing(self, name, file, content):
                self.answer(500, content)

            def busy(self, name, file, content):
                self.answer(503, b"later", {"Retry-After": "3600"})

            def empty(self, name, file, content):
                self.answer(200, b"")

            def no_content(self, name, file, content):
                self.send_response(204)
                self.end_headers()

            def redirect_to_another_set(self, name, file, content):
                other = {"mnist": "fashion_mnist", "fashion_mnist": "mnist"}.get(name, name)
                name_there = file if other != name else next(each for each in outer.files[name] if each != file)
                self.answer(302, b"", {"Location": f"/good/{other}/{name_there}"})

            def redirect_without_end(self, name, file, content):
                self.answer(302, b"", {"Location": self.path})

            def redirect_to_nowhere(self, name, file, content):
                self.answer(302, b"", {"Location": "http://127.0.0.1:9/" + file})

            def reset(self, name, file, content):
                status, headers, body = self.part(content)
                self.answer(status, body[: len(body) // 2], headers, length=len(body))
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

            def reset_at_once(self, name, file, content):
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

            def silent(self, name, file, content):
                outer.hold.wait(20)

            def stalled(self, name, file, content):
                status, headers, body = self.part(content)
                self.answer(status, body[: len(body) // 2], headers, length=len(body))
                outer.hold.wait(20)

            def dripping(self, name, file, content):
                status, headers, body = self.part(content)
                self.answer(status, body[:1], headers, length=len(body))
                for byte in body[1:]:
                    self.wfile.write(bytes([byte]))
                    if outer.hold.wait(0.001):
                        return

            def web_page(self, name, file, content):
                self.answer(200, b"<html>Please log in</html>", {"Content-Type": "text/html"})

            def web_page_of_that_length(self, name, file, content):
                page = b"<html>Please log in</html>".ljust(len(content))
                self.answer(200, page, {"Content-Type": "text/html"})

            def nonsense(self, name, file, content):
                self.wfile.write(b"\x00\x01 not HTTP at all\r\n\r\n")

            def range_elsewhere(self, name, file, content):
                start = self.start() - 1 if self.start() else 1
                self.answer(206, content[start:], {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"})

            def range_unnamed(self, name, file, content):
                self.answer(206, content[self.start() :])

            def range_of_another_size(self, name, file, content):
                start, size = self.start(), len(content) + 1
                self.answer(206, content[start:], {"Content-Range": f"bytes {start}-{size - 1}/{size}"})

            def range_not_satisfiable(self, name, file, content):
                self.answer(416, b"", {"Content-Range": f"bytes */{len(content) // 3}"})

            def range_of_other_bytes(self, name, file, content):
                start = self.start()
                body = bytes(byte ^ 85 for byte in content[start:])
                self.answer(206, body, {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"})

            def packed_again(self, name, file, content):
                self.answer(200, gzip.compress(content), {"Content-Encoding": "gzip"})

            def log_message(self, *_):
                pass

        self.httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.httpd.daemon_threads = True
        self.httpd.handle_error = lambda *_: None
        threading.Thread(target=self.httpd.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def address(self, behaviour):
        """An address of the catalogue, with {name} in it."""
        return f"http://127.0.0.1:{self.httpd.server_port}/{behaviour}/{{name}}/"

    def close(self):
        self.hold.set()
        self.httpd.shutdown()
        self.httpd.server_close()


FAULTS = [
    "truncated",
    "truncated_silently",
    "truncated_unannounced",
    "too_long",
    "too_long_unannounced",
    "other_bytes",
    "one_other_byte",
    "forbidden",
    "missing",
    "failing",
    "busy",
    "empty",
    "no_content",
    "redirect_to_another_set",
    "redirect_without_end",
    "redirect_to_nowhere",
    "reset",
    "reset_at_once",
    "silent",
    "stalled",
    "dripping",
    "web_page",
    "web_page_of_that_length",
    "nonsense",
    "range_elsewhere",
    "range_unnamed",
    "range_of_another_size",
    "range_not_satisfiable",
    "range_of_other_bytes",
    "packed_again",
]


def wait_until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.005)
