"""Stored files, for anyone who knows their address."""

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from unitask.api.requests import route, services


async def download(request: Request) -> Response:
    """`GET /files/{path}`: a stored file, whole or by ranges."""
    artifact, path = await services(request).artifacts.open(request.path_params["path"])
    etag = f'"{artifact.file.sha256}"'
    headers = {
        "ETag": etag,
        "Cache-Control": "private, max-age=3600",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Access-Control-Allow-Origin": "*",
    }
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return FileResponse(path, media_type=artifact.file.content_type, headers=headers)


ROUTES = [route("GET", "/files/{path:path}", download)]
