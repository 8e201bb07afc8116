"""Property tests judge what they state, never how busy the machine is; one that fails prints how to do it again."""

from hypothesis import HealthCheck, settings

settings.register_profile("project", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("project")
