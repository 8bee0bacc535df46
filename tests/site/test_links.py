"""Nothing on the site leads nowhere, and nothing is loaded from another host."""

import re
import urllib.parse

import requests

LOADS = {
    "img": ["src", "srcset"],
    "source": ["src", "srcset"],
    "video": ["src", "poster"],
    "audio": ["src"],
    "script": ["src"],
    "iframe": ["src"],
    "embed": ["src"],
    "object": ["data"],
    "use": ["href"],
    "image": ["href"],
}
QUIET_LINKS = {"canonical", "next", "prev", "search", "index", "author", "license"}  # <link>s that no browser loads
CSS_ADDRESS = re.compile(r"""url\(\s*["']?(.*?)["']?\s*\)|@import\s+["'](.*?)["']""")


def loaded_by(page):
    """All addresses that a browser loads because this page is open."""
    for tag, names in LOADS.items():
        yield from (element[name] for element in page.select(tag) for name in names if element.has_attr(name))
    for link in page.select("link[href]"):
        if not QUIET_LINKS & set(link.get("rel", [])):
            yield link["href"]
    for css in [*(e["style"] for e in page.select("[style]")), *(e.get_text() for e in page.select("style"))]:
        yield from loaded_by_css(css)


def loaded_by_css(text):
    return ["".join(found) for found in CSS_ADDRESS.findall(text)]


def is_elsewhere(address):
    return re.match(r"(?!data:)(//|[a-z][a-z0-9+.-]*:)", address.strip(), re.IGNORECASE) is not None


def test_nothing_is_loaded_from_another_host(pages, site):
    found = {(name, address) for name, page in pages.items() for address in loaded_by(page) if is_elsewhere(address)}
    for file in site.rglob("*.css"):
        found |= {(file.name, address) for address in loaded_by_css(file.read_text("utf-8")) if is_elsewhere(address)}
    assert not found


def test_no_dead_links_below_a_sub_path(pages, address):
    status, dead, session = {}, [], requests.Session()  # one connection for hundreds of questions

    def reachable(url):
        if url not in status:
            status[url] = session.head(url).status_code == 200
        return status[url]

    anchors = {name: {element["id"] for element in page.select("[id]")} for name, page in pages.items()}
    for name, page in pages.items():
        here = urllib.parse.urljoin(address, name)
        links = [e["href"] for e in page.select("a[href], link[href]")] + list(loaded_by(page))
        for link in sorted(set(links)):
            if is_elsewhere(link) or link.startswith("data:"):
                continue
            url, fragment = urllib.parse.urldefrag(urllib.parse.urljoin(here, link))
            places = anchors.get(url.removeprefix(address), {fragment})
            if not reachable(url) or (fragment and urllib.parse.unquote(fragment) not in places):
                dead.append((name, link))
    assert len(status) > 30
    assert not dead


def test_css_finds_its_files(site):
    missing = []
    for file in site.rglob("*.css"):
        for address in loaded_by_css(file.read_text("utf-8")):
            path = re.split(r"[?#]", address)[0]
            if not address.startswith("data:") and not (file.parent / path).exists():
                missing.append((file.name, address))
    assert not missing
