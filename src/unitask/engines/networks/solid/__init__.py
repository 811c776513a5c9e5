"""The networks of Trellis, and how what they say becomes a mesh with colours. Coordinates of voxels are x, y, z."""
