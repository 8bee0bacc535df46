"""The table of official files on the page about networks: names, sizes and sums, as the catalogue has them."""

from course_utils._images.catalogue import SOURCES

TOKEN = "{{ data files }}"


def with_data_files(page: str) -> str:
    """A page with its token replaced by the table. Of a data set that was published twice, one set of files will do."""
    if TOKEN not in page:
        return page
    rows = ["| folder | file | bytes | MD5 |", "|---|---|---|---|"]
    for name, source in SOURCES.items():
        for edition in source.editions:
            rows += [f"| `{name}/` | `{file.file}` | {file.size:,} | `{file.md5}` |" for file in edition.archives]
    return page.replace(TOKEN, "\n".join(rows))
