"""Videos: the camera, what moves before it, and the film that it is taken on."""
