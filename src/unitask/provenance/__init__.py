"""Marks on what is made: what they say, how they are put into files, and how they are read back.

Two marks, of which each is enough by itself. The IPTC mark is an XMP packet that names where the media come from; we
write it byte by byte, without a library and without decoding anything. The C2PA mark is a signed manifest, written by
C2PA's own library where that is installed.
"""
