"""What can go wrong with a scene. Every message says what was got, what was expected and what to do."""


class SelectionError(LookupError):
    """A selector matches nothing, or not what the verb can take."""


class EditError(ValueError):
    """An edit that would leave the latent space; the scene stays as it was."""


class LatentSpaceError(EditError):
    """Latents of two latent spaces were mixed."""


class SceneFileError(ValueError):
    """A file that is not a scene this version can read."""
