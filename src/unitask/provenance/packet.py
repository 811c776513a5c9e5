"""The words of the IPTC mark: an XMP packet, and the same as JSON-LD for glTF."""

from dataclasses import dataclass
from typing import Any, Final

from unitask.provenance.sources import Source

IPTC: Final = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_XMP: Final = "http://ns.adobe.com/xap/1.0/"
_PACKET: Final = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:xmp="{xmp}" xmlns:Iptc4xmpExt="{iptc}">
   <xmp:CreatorTool>{tool}</xmp:CreatorTool>
   <Iptc4xmpExt:DigitalSourceType>{source}</Iptc4xmpExt:DigitalSourceType>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>"""


@dataclass(frozen=True, slots=True)
class Words:
    """What the IPTC mark says."""

    source: Source
    tool: str

    def xmp(self) -> bytes:
        """Write them as an XMP packet."""
        tool = self.tool.replace("&", "&amp;").replace("<", "&lt;")
        return _PACKET.format(xmp=_XMP, iptc=IPTC, tool=tool, source=self.source.uri).encode()

    def json_ld(self) -> dict[str, Any]:
        """Write them as a packet of glTF's extension KHR_xmp_json_ld."""
        return {
            "@context": {"xmp": _XMP, "Iptc4xmpExt": IPTC},
            "@id": "",
            "xmp:CreatorTool": self.tool,
            "Iptc4xmpExt:DigitalSourceType": self.source.uri,
        }
