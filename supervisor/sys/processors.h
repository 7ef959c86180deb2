// How much processor time a plugin may have, as numbers of processors: 0.5, 2.
#pragma once

#include <cmath>

namespace supervisor::sys {

inline constexpr double least_processors = 0.01;
inline constexpr double most_processors = 4096;

/// `number` to a millionth, finer than any kernel divides time. What is written
/// down and read again is then the same number: Boost.JSON 1.81 reads one in ten
/// doubles a bit off.
inline double processors(double number) {
  constexpr double millionths = 1e6;
  return std::round(number * millionths) / millionths;
}

}  // namespace supervisor::sys
