"""What of a topology decides how workflows stand, as a short digest: counts made under another are made anew."""

import json
from hashlib import blake2b

from farandole.fold import Topology


def digest(topology: Topology) -> str:
    """16 hex digits; equal for topologies under which every workflow stands alike."""
    said = {
        "subscribers": {
            topic: [[step, [[i.since, i.until] for i in intervals]] for step, intervals in entries]
            for topic, entries in topology.subscribers.items()
        },
        "final": sorted(topology.final),
        "steps": {name: info.exists for name, info in topology.steps.items()},
    }
    text = json.dumps(said, sort_keys=True, separators=(",", ":"))
    return blake2b(text.encode(), digest_size=8).hexdigest()
