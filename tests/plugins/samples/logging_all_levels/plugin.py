"""Every way to log."""

import logging
import threading

module_logger = logging.getLogger(__name__)


class Plugin:
    def run(self, action, params, context):
        logger = context["logger"]
        if action == "levels":
            for level in ("debug", "info", "warning", "error", "critical"):
                getattr(logger, level)("a line at level %s", level)
        elif action == "module":
            module_logger.warning("from the module's logger")
        elif action == "root":
            logging.warning("from the root logger")
        elif action == "exception":
            try:
                raise ValueError("logged, not raised")
            except ValueError:
                logger.exception("something went wrong")
        elif action == "later":
            threading.Timer(0.05, logger.info, ["from a thread, after the answer"]).start()
        elif action == "odd":
            logger.info("too few: %s %s", 1)
            logger.info("first line\nsecond line\x1b[31m")
            logger.info("lone surrogate \ud800")
        elif action == "many":
            for number in range(min(int(params.get("count", 1000)), 1_000_000)):
                logger.info("line %d", number)
        return {"status": "ok", "logger": logger.name}
