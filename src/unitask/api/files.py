"""Stored files, for anyone who knows their address."""

from typing import Final

from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse

from unitask.api.requests import route, services

_MOVED: Final = 307
_CACHED_S: Final = 3600


async def download(request: Request) -> Response:
    """`GET /files/{path}`: a stored file, whole or by ranges; from an object store by way of a signed address.

    `?download=1` makes a browser save the file; from an object store it then comes through us.
    """
    artifacts = services(request).artifacts
    artifact = await artifacts.find(request.path_params["path"])
    etag = f'"{artifact.file.sha256 or artifact.id}"'
    headers = {
        "ETag": etag,
        "Cache-Control": f"private, max-age={artifacts.seconds_left(artifact, _CACHED_S)}",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Access-Control-Allow-Origin": "*",
    }
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    name = artifact.file.path.rpartition("/")[2]
    if request.query_params.get("download") == "1":
        headers["Content-Disposition"] = f'attachment; filename="{name}"'
    place = await artifacts.locate(artifact, request.method)
    if not isinstance(place, str):
        return FileResponse(place, media_type=artifact.file.content_type, headers=headers)
    if "Content-Disposition" not in headers:
        return Response(status_code=_MOVED, headers={**headers, "Location": place, "Cache-Control": "no-store"})
    headers["Content-Length"] = str(artifact.file.size_bytes)
    if request.method == "HEAD":
        return Response(headers=headers, media_type=artifact.file.content_type)
    return StreamingResponse(artifacts.content(artifact), headers=headers, media_type=artifact.file.content_type)


ROUTES = [route("GET", "/files/{path:path}", download)]
