// Runs a probe in a process of its own.
#pragma once

#include <chrono>
#include <vector>

#include "supervisor/cli/doctor/probe.h"

namespace supervisor::cli::doctor {

/// The probe's findings; one that says so when it has not answered within
/// `allowed`, or has crashed. Whatever it has started is ended with it. Call
/// with a single thread.
std::vector<Finding> bounded(const Probe& probe, std::chrono::milliseconds allowed);

}  // namespace supervisor::cli::doctor
