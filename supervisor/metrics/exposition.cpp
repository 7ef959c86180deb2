#include "supervisor/metrics/exposition.h"

#include <prometheus/text_serializer.h>

namespace supervisor::metrics {

Exposition& Exposition::family(Type type, const std::string& name, const std::string& help) {
  const auto [place, is_new] = places_.emplace(name, families_.size());
  if (is_new) families_.push_back({name, help, type, {}});
  present_ = place->second;
  return *this;
}

void Exposition::value(Labels labels, double value) {
  auto& family = families_.at(present_);
  prometheus::ClientMetric metric;
  metric.label = std::move(labels);
  if (family.type == Type::Counter) {
    metric.counter.value = value;
  } else {
    metric.gauge.value = value;
  }
  family.metric.push_back(std::move(metric));
}

void Exposition::histogram(Labels labels, const prometheus::Histogram& histogram) {
  auto metric = histogram.Collect();
  metric.label = std::move(labels);
  families_.at(present_).metric.push_back(std::move(metric));
}

std::string Exposition::text() const { return prometheus::TextSerializer().Serialize(families_); }

}  // namespace supervisor::metrics
