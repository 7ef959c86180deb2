// Metrics on their way to a scraper: families in the order they were declared,
// written out in the Prometheus text format. Built for one answer, on one
// thread.
#pragma once

#include <prometheus/histogram.h>
#include <prometheus/metric_family.h>

#include <map>
#include <string>
#include <vector>

namespace supervisor::metrics {

class Exposition {
 public:
  using Labels = std::vector<prometheus::ClientMetric::Label>;
  using Type = prometheus::MetricType;

  /// Names the family that values are added to from here on. One without
  /// values is written all the same: a reader learns that it is there.
  Exposition& family(Type type, const std::string& name, const std::string& help);

  /// A value of a counter or a gauge.
  void value(Labels labels, double value);
  /// A histogram's buckets, sum and count.
  void histogram(Labels labels, const prometheus::Histogram& histogram);

  [[nodiscard]] std::string text() const;

 private:
  std::vector<prometheus::MetricFamily> families_;
  std::map<std::string, std::size_t> places_;
  std::size_t present_ = 0;
};

}  // namespace supervisor::metrics
