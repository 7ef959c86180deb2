// Lists of protections, in messages and out of them; also of the worker's side.
#pragma once

#include <algorithm>
#include <iterator>

#include "plugin_supervisor/v1/sandbox.pb.h"

namespace supervisor::sandbox {

/// Of vectors and of repeated fields.
template <typename List>
bool contains(const List& list, plugin_supervisor::v1::Protection protection) {
  return std::find(std::begin(list), std::end(list), protection) != std::end(list);
}

}  // namespace supervisor::sandbox
