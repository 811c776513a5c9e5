"""The demo model: a Flux of a few megabytes, trained here on drawn scenes. It knows colours, shapes and places."""
