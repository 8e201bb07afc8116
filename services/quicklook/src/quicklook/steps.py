"""The service: a mosaic becomes a picture."""

from farandole import Context, Resources, Retry, Service
from quicklook.events import QuicklookRendered, SceneMosaicked
from quicklook.render import render_quicklook

service = Service("quicklook", version="0.1.0", resources=Resources(cpu="500m", memory="256Mi"))


@service.step(concurrency=2, retry=Retry(attempts=4, terminal=(ValueError,)))
def render(mosaic: SceneMosaicked, ctx: Context) -> QuicklookRendered:
    """Render true colour beside classes."""
    out = ctx.scratch / "quicklook.png"
    width, height = render_quicklook(ctx.fetch(mosaic.image), out)
    picture = ctx.save(out, "image/png")
    return QuicklookRendered(scene_id=mosaic.scene_id, quicklook=picture, width=width, height=height)
