"""The peer: the same plugin's run() behind a plain Django view.

What a host does that keeps plugins in its own processes. Served by gunicorn,
without database, sessions or middleware, so the comparison flatters the peer.
"""

import importlib.util
import json
import logging
import os

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import JsonResponse
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="unused", DEBUG=False, MIDDLEWARE=[]
)
django.setup()

_token = os.environ["BENCH_TOKEN"]
_spec = importlib.util.spec_from_file_location("bench_plugin", os.environ["BENCH_PLUGIN"])
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)
_plugin = _module.Plugin()
_context = {"settings": {}, "logger": logging.getLogger("bench"), "actions": {}}


def run(request):
    if request.headers.get("Authorization") != f"Bearer {_token}":
        return JsonResponse({"success": False, "error": "unauthenticated"}, status=401)
    body = json.loads(request.body)
    result = _plugin.run(body["action"], body.get("params", {}), _context)
    return JsonResponse({"success": True, "result": result})


urlpatterns = [path("api/plugins/plugins/bench_echo/run/", run)]
application = WSGIHandler()
