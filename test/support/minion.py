"""A masterless minion whose file server is this checkout."""

NO_TREE = object()
"""In the place of a tree: pillar has none of the formula's."""


class Minion:
    """A masterless minion. The API that the example's pillar names is the simulator's."""

    def __init__(self, loaders, api):
        self.modules = loaders.modules
        self.api = {"api_url": api.api_url, "ca_file": api.ca_file}

    def apply(self, sls, pillar, test=False, beside=None, **options):
        """
        ``state.apply``: the states' returns, by id (the last of an id that stands for several). ``beside``: the rest of
        pillar.
        """
        done = self.modules.state.apply(sls, pillar=self._pillar(pillar, beside), test=test, **options)
        assert isinstance(done.raw, dict), done.raw
        return {state["__id__"]: state for state in sorted(done.raw.values(), key=lambda state: state["__run_num__"])}

    def low(self, sls, pillar):
        """The compiled low chunks of an SLS file, in the order of the run."""
        chunks = self.modules.state.show_low_sls(sls, pillar=self._pillar(pillar))
        assert all(isinstance(chunk, dict) for chunk in chunks), chunks
        return chunks

    def _pillar(self, tree, beside=None):
        if tree is NO_TREE:
            return {"no tree": True, **(beside or {})}
        address = tree.get("floating_ip") if isinstance(tree, dict) else None
        if isinstance(address, dict) and "api_url" not in address:
            tree = {**tree, "floating_ip": {**address, **self.api}}
        return {"haproxy_ha": tree, **(beside or {})}
