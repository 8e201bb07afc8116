"""The client: publish, wait, and see what happened; it runs no step."""

from farandole.client.aclient import AsyncClient
from farandole.client.letters import DeadLetter
from farandole.client.publishing import Published
from farandole.client.sync import Client

__all__ = ["AsyncClient", "Client", "DeadLetter", "Published"]
