// HTML and SVG by hand: a table, curves, a calibration plot, bars.
#include "ml/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace firesteel {

namespace {

constexpr std::string_view kStyle = R"(
:root{color-scheme:light dark;--ink:#1d2330;--soft:#5c6575;--line:#d9dee7;--page:#fff;--card:#f6f7fa;
--one:#2f6feb;--two:#d9660a}
@media(prefers-color-scheme:dark){:root{--ink:#e4e8f0;--soft:#98a2b3;--line:#343b49;--page:#14171d;
--card:#1c2029;--one:#6ea2ff;--two:#ff9d4d}}
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--page);max-width:60rem;
margin:2rem auto;padding:0 1rem}
h1{font-size:1.7rem;margin:0 0 .3rem}h2{font-size:1.15rem;margin:2.2rem 0 .6rem}
p.soft,.soft{color:var(--soft)}table{border-collapse:collapse;width:100%}
th,td{text-align:right;padding:.35rem .7rem;border-bottom:1px solid var(--line)}
th:first-child,td:first-child{text-align:left}tr.model td{font-weight:600}
td.best{color:var(--one)}pre{background:var(--card);padding:.8rem 1rem;overflow:auto;
border-radius:6px;font-size:.8rem}figure{margin:0;background:var(--card);border-radius:6px;
padding:.6rem}figcaption{color:var(--soft);font-size:.85rem}.pair{display:grid;gap:1rem;
grid-template-columns:repeat(auto-fit,minmax(22rem,1fr))}svg{width:100%;height:auto}
svg text{fill:var(--soft);font-size:12px}svg .axis{stroke:var(--line)}
svg .one{stroke:var(--one);fill:none;stroke-width:2}svg .two{stroke:var(--two);fill:none;stroke-width:2}
svg .dot{fill:var(--one)}svg .dot2{fill:var(--two)}svg .bar{fill:var(--one)}svg text.name{fill:var(--ink)}
details summary{cursor:pointer;font-weight:600;margin:.6rem 0}
)";

std::string escaped(std::string_view text) {
  std::string safe;
  for (const char c : text) {
    switch (c) {
      case '&':
        safe += "&amp;";
        break;
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '"':
        safe += "&quot;";
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

std::string number(double value) {
  return std::isfinite(value) ? fmt::format("{:.4f}", value) : "–";
}

std::string grouped(int64_t value) {
  std::string text = std::to_string(value);
  for (int at = static_cast<int>(text.size()) - 3; at > 0; at -= 3) text.insert(at, ",");
  return text;
}

std::string metrics_table(const Report& report) {
  const auto names = metric_names(report.task);
  std::string html = "<table><tr><th>Model</th>";
  for (const auto& name : names) html += fmt::format("<th>{}</th>", name);
  html += "<th>seconds</th></tr>\n";
  for (size_t row = 0; row < report.models.size(); ++row) {
    const auto& model = report.models[row];
    html +=
        fmt::format("<tr{}><td>{}</td>", row == 0 ? " class=\"model\"" : "", escaped(model.name));
    for (const auto& name : names) {
      const auto value = [&](const BaselineResult& of) {
        const auto found = of.metrics.find(name);
        return found == of.metrics.end() ? std::numeric_limits<double>::quiet_NaN() : found->second;
      };
      bool best = std::isfinite(value(model));
      for (const auto& other : report.models) {
        best = best && !(larger_is_better(name) ? value(other) > value(model)
                                                : value(other) < value(model));
      }
      html += fmt::format("<td{}>{}</td>", best ? " class=\"best\"" : "", number(value(model)));
    }
    html += fmt::format("<td>{:.1f}</td></tr>\n", model.seconds);
  }
  return html + "</table>\n";
}

/// A plot of 480 by 300 with axes; `map` places a point.
struct Plot {
  static constexpr double kLeft = 56, kRight = 468, kTop = 14, kBottom = 258;
  double x_low, x_high, y_low, y_high;
  std::string body = {};

  double x(double value) const {
    return kLeft + (kRight - kLeft) * (x_high > x_low ? (value - x_low) / (x_high - x_low) : 0.5);
  }
  double y(double value) const {
    return kBottom - (kBottom - kTop) * (y_high > y_low ? (value - y_low) / (y_high - y_low) : 0.5);
  }
  void line(const std::vector<std::pair<double, double>>& points, std::string_view style,
            std::string_view dot) {
    std::string path;
    for (const auto& [px, py] : points) {
      path += fmt::format("{}{:.1f},{:.1f}", path.empty() ? "" : " ", x(px), y(py));
    }
    body += fmt::format("<polyline class=\"{}\" points=\"{}\"/>\n", style, path);
    for (const auto& [px, py] : points) {
      body += fmt::format(
          "<circle class=\"{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" "
          "r=\"3\"><title>{:.4f}</title></circle>\n",
          dot, x(px), y(py), py);
    }
  }
  std::string svg(std::string_view label, std::string_view x_name, bool whole_x) const {
    std::string axes;
    constexpr int kTicks = 5;
    for (int i = 0; i < kTicks; ++i) {
      const double share = i / (kTicks - 1.0);
      const double vx = x_low + share * (x_high - x_low), vy = y_low + share * (y_high - y_low);
      axes += fmt::format(
          "<line class=\"axis\" x1=\"{0}\" x2=\"{1}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\"/>"
          "<text x=\"{3}\" y=\"{4:.1f}\" text-anchor=\"end\">{5:.3g}</text>",
          kLeft, kRight, y(vy), kLeft - 6, y(vy) + 4, vy);
      if (whole_x && std::abs(vx - std::round(vx)) > 1e-9) continue;
      axes += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{:.3g}</text>", x(vx),
                          kBottom + 18, vx);
    }
    return fmt::format(
        "<svg viewBox=\"0 0 480 300\" role=\"img\" aria-label=\"{}\">{}{}"
        "<text x=\"{}\" y=\"294\" text-anchor=\"middle\">{}</text></svg>",
        escaped(label), axes, body, (kLeft + kRight) / 2, escaped(x_name));
  }
};

std::string curve(const std::vector<std::pair<double, double>>& points, std::string_view style,
                  std::string_view dot, const std::string& label) {
  if (points.empty()) return "";
  Plot plot{points.front().first, points.back().first, points[0].second, points[0].second};
  for (const auto& [x, y] : points) {
    plot.y_low = std::min(plot.y_low, y);
    plot.y_high = std::max(plot.y_high, y);
  }
  const double margin = std::max((plot.y_high - plot.y_low) * 0.05, 1e-9);
  plot.y_low -= margin;
  plot.y_high += margin;
  plot.line(points, style, dot);
  return fmt::format("<figure>{}<figcaption>{}</figcaption></figure>\n",
                     plot.svg(label, "epoch", true), escaped(label));
}

std::string learning_curves(const Report& report) {
  std::vector<std::pair<double, double>> loss, validation;
  for (const auto& row : report.training.history) {
    const auto epoch = static_cast<double>(row.epoch + 1);
    loss.emplace_back(epoch, row.loss);
    if (std::isfinite(row.validation)) validation.emplace_back(epoch, row.validation);
  }
  return "<div class=\"pair\">" + curve(loss, "one", "dot", "Training loss per epoch") +
         curve(validation, "two", "dot2",
               fmt::format("Validation {} per epoch (best: epoch {})", report.training.metric,
                           report.training.best_epoch + 1)) +
         "</div>\n";
}

std::string calibration_plot(const Report& report) {
  if (report.calibration.empty()) return "";
  Plot plot{0, 1, 0, 1};
  plot.body = fmt::format(
      "<line class=\"axis\" x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\" stroke-dasharray=\"4 4\"/>",
      Plot::kLeft, Plot::kBottom, Plot::kRight, Plot::kTop);
  std::vector<std::pair<double, double>> points;
  for (const auto& bin : report.calibration)
    points.emplace_back(bin.mean_probability, bin.positive_share);
  plot.line(points, "one", "dot");
  return fmt::format(
      "<h2>Calibration</h2><figure>{}<figcaption>Share of positives among the test rows "
      "by predicted probability; on the dashed line the two agree.</figcaption></figure>\n",
      plot.svg("Calibration", "predicted probability", false));
}

std::string importance_bars(const Report& report) {
  auto rows = report.importance;
  if (rows.empty()) return "";
  std::stable_sort(rows.begin(), rows.end(),
                   [](const auto& a, const auto& b) { return a.loss > b.loss; });
  const double top = std::max(rows.front().loss, 1e-12);
  constexpr double kName = 190, kWidth = 400;
  std::string bars;
  double y = 4;
  for (const auto& row : rows) {
    const double width = std::max(1.0, kWidth * std::max(0.0, row.loss) / top);
    bars += fmt::format(
        "<text class=\"name\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>"
        "<rect class=\"bar\" x=\"{}\" y=\"{}\" width=\"{:.1f}\" height=\"14\" rx=\"2\"/>"
        "<text x=\"{:.1f}\" y=\"{}\">{:.4f}</text>\n",
        kName - 8, y + 12, escaped(row.feature), kName, y, width, kName + width + 6, y + 12,
        row.loss);
    y += 22;
  }
  return fmt::format(
      "<h2>Permutation importance</h2><figure><svg viewBox=\"0 0 660 {}\" role=\"img\" "
      "aria-label=\"Permutation importance\">{}</svg><figcaption>How much worse {} gets on "
      "test rows when one feature is shuffled among them.</figcaption></figure>\n",
      y, bars, escaped(report.importance_metric));
}

}  // namespace

std::string report_html(const Report& report) {
  std::string html = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
      "<title>{0}</title><style>{1}</style></head><body>\n<h1>{0}</h1>\n",
      escaped(report.title), kStyle);
  std::string sizes;
  for (const auto& [name, rows] : report.sizes) {
    sizes += fmt::format("{}{} {}", sizes.empty() ? "" : " · ", grouped(rows), escaped(name));
  }
  html += fmt::format("<p class=\"soft\">{}</p>\n", sizes);
  html += "<h2>On the test rows</h2>\n" + metrics_table(report);
  html += "<h2>Learning</h2>\n" + learning_curves(report);
  if (!report.trials.empty()) {
    html += fmt::format("<h2>Trials</h2>\n<pre>{}</pre>\n", escaped(report.trials));
  }
  html += calibration_plot(report);
  html += importance_bars(report);
  html += "<h2>Settings</h2><table>";
  for (const auto& [name, value] : report.settings) {
    html += fmt::format("<tr><td>{}</td><td>{}</td></tr>", escaped(name), escaped(value));
  }
  html += "</table>\n";
  if (!report.notes.empty()) {
    html += "<h2>Notes</h2><ul>";
    for (const auto& note : report.notes) html += fmt::format("<li>{}</li>", escaped(note));
    html += "</ul>\n";
  }
  html += fmt::format("<details><summary>Plan</summary><pre>{}</pre></details>\n",
                      escaped(report.plan));
  html += fmt::format("<details><summary>Pipeline</summary><pre>{}</pre></details>\n",
                      escaped(report.pipeline));
  return html + "</body></html>\n";
}

}  // namespace firesteel
