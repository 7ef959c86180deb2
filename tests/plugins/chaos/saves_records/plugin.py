"""Records of its own, kept by the host."""

from apps.plugins.models import PluginData

from .journal import noted


class Plugin:
    def run(self, action, params, context):
        with noted(params, context):
            row = PluginData.objects.add_to_collection(
                context["plugin"]["key"], "chaos", {"nonce": params["nonce"]}
            )
            return {"nonce": params["nonce"], "id": row.id}
