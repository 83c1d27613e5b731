// A line is built from pieces that are cut at its width, so that nothing ever wraps. What stems
// from a log is stripped of control characters.
#include "cli/run_view.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <set>

#include "base/quantity.h"
#include "cli/interrupt.h"

namespace firesteel::cli {

namespace {

constexpr const char *kBold = "1", *kDim = "2", *kLoss = "36", *kValidation = "32", *kBad = "31";
constexpr int kLabelWidth = 9;     // of a chart's values
constexpr int kChartRowsMax = 10;  // more shows no more
constexpr int kTableRowsMin = 3;

bool continues(char c) { return (c & 0xC0) == 0x80; }

int width_of(std::string_view text) {
  return static_cast<int>(
      std::count_if(text.begin(), text.end(), [](char c) { return !continues(c); }));
}

std::string printable(std::string_view text) {
  std::string clean;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    // U+0080 to U+009F are control characters too.
    const bool high =
        byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    if (high) ++i;
    clean += byte < 0x20 || byte == 0x7F || high ? ' ' : text[i];
  }
  return clean;
}

class Line {
 public:
  Line(int width, bool colours) : left_(width), colours_(colours) {}
  Line& add(std::string_view text, const char* style = "") {
    size_t bytes = 0;
    int used = 0;
    while (bytes < text.size() && used < left_) {
      do ++bytes;
      while (bytes < text.size() && continues(text[bytes]));
      ++used;
    }
    left_ -= used;
    const bool styled = colours_ && *style && bytes > 0;
    if (styled) text_ += fmt::format("\033[{}m", style);
    text_ += text.substr(0, bytes);
    if (styled) text_ += "\033[0m";
    return *this;
  }
  /// Up to this many characters from the line's right end.
  Line& pad_to(int left) {
    return left_ > left ? add(std::string(static_cast<size_t>(left_ - left), ' ')) : *this;
  }
  const std::string& text() const { return text_; }
  int left() const { return left_; }

 private:
  std::string text_;
  int left_;
  bool colours_;
};

/// A grid of braille characters, each two dots wide and four high.
class Canvas {
 public:
  Canvas(int columns, int rows)
      : columns_(columns), rows_(rows), cells_(static_cast<size_t>(columns * rows)) {}
  int width() const { return columns_ * 2; }
  int height() const { return rows_ * 4; }
  void line(int x0, int y0, int x1, int y1) {
    const int steps = std::max({std::abs(x1 - x0), std::abs(y1 - y0), 1});
    for (int i = 0; i <= steps; ++i) {
      const double t = static_cast<double>(i) / steps;
      dot(static_cast<int>(std::lround(x0 + t * (x1 - x0))),
          static_cast<int>(std::lround(y0 + t * (y1 - y0))));
    }
  }
  std::string row(int number) const {
    std::string text;
    for (int x = 0; x < columns_; ++x) {
      const unsigned cell = cells_[static_cast<size_t>(number * columns_ + x)];
      if (cell == 0) {
        text += ' ';
      } else {  // U+2800 and the dots, in UTF-8
        text += '\xE2';
        text += static_cast<char>(0xA0 | cell >> 6);
        text += static_cast<char>(0x80 | (cell & 0x3F));
      }
    }
    return text;
  }

 private:
  void dot(int x, int y) {
    static constexpr uint8_t kDots[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    if (x < 0 || y < 0 || x >= width() || y >= height()) return;
    cells_[static_cast<size_t>(y / 4 * columns_ + x / 2)] |= kDots[y % 4][x % 2];
  }
  int columns_, rows_;
  std::vector<uint8_t> cells_;
};

/// "3", or within an epoch "3.4".
std::string epoch_text(double epoch) {
  return epoch == std::floor(epoch) ? fmt::format("{:.0f}", epoch) : fmt::format("{:.1f}", epoch);
}

struct Chart {
  std::string title;
  std::vector<std::pair<double, double>> points;
  const char* style;

  /// Lines of exactly `columns` characters: the title, `rows` of the curve, the axis below.
  std::vector<Line> lines(int columns, int rows, bool colours) const;
};

std::vector<Line> Chart::lines(int columns, int rows, bool colours) const {
  std::vector<Line> lines(static_cast<size_t>(rows) + 2, Line(columns, colours));
  lines[0].add(title, kBold);
  const int width = columns - kLabelWidth - 2;
  double x_low = 1, x_high = 1, y_low = 0, y_high = 1;
  if (!points.empty()) {
    x_low = points.front().first;
    x_high = points.back().first;
    const auto [low, high] = std::minmax_element(
        points.begin(), points.end(), [](auto& a, auto& b) { return a.second < b.second; });
    y_low = low->second;
    y_high = high->second;
  }
  // A flat curve runs through the middle.
  const double flat = y_high > y_low ? 0 : std::max(std::abs(y_high) * 0.05, 1e-6);
  const double bottom = y_low - flat, top = y_high + flat;
  Canvas canvas(std::max(width, 1), rows);
  const auto x_of = [&](double x) {
    return x_high > x_low ? static_cast<int>(
                                std::lround((x - x_low) / (x_high - x_low) * (canvas.width() - 1)))
                          : 0;
  };
  const auto y_of = [&](double y) {
    return static_cast<int>(std::lround((top - y) / (top - bottom) * (canvas.height() - 1)));
  };
  for (size_t i = 0; i < points.size(); ++i) {
    const auto& [x, y] = points[i];
    const auto& [x_before, y_before] = points[i > 0 ? i - 1 : 0];
    canvas.line(x_of(x_before), y_of(y_before), x_of(x), y_of(y));
  }
  for (int row = 0; row < rows; ++row) {
    const bool labelled = !points.empty() && (row == 0 || row == rows - 1);
    const auto label = labelled ? fmt::format("{:.5g}", row == 0 ? top : bottom) : "";
    lines[static_cast<size_t>(row) + 1]
        .add(fmt::format("{:>{}} ", label, kLabelWidth), kDim)
        .add(labelled ? "┤" : "│", kDim)
        .add(canvas.row(row), style);
  }
  const auto first = points.empty() ? "" : epoch_text(x_low);
  const auto last = x_high > x_low ? epoch_text(x_high) : "";
  auto& axis = lines.back();
  axis.add(std::string(kLabelWidth + 2, ' ')).add(first, kDim).pad_to(width_of(last));
  axis.add(last, kDim);
  return lines;
}

std::string number(double value) {
  return std::isfinite(value) ? fmt::format("{:.5g}", value) : "-";
}

struct Drawing {
  const RunPicture& picture;
  const int columns, rows;
  const bool colours;
  std::vector<std::string> lines = {};

  Line line() const { return {columns, colours}; }
  void put(const Line& line) {
    if (static_cast<int>(lines.size()) < rows) lines.push_back(line.text());
  }
  int left() const { return rows - static_cast<int>(lines.size()); }
  void header();
  void charts();
  void table();
  void test();
};

void Drawing::header() {
  auto title = line();
  title.add(printable(picture.pipeline), kBold);
  for (const auto& part : {picture.model, picture.run}) {
    if (!part.empty()) title.add("  ").add(printable(part));
  }
  put(title);
  const bool training = picture.state == RunPicture::State::kTraining;
  const auto epoch = training || picture.done.empty() ? picture.epoch : picture.done.back().epoch;
  auto where = line();
  where.add(fmt::format("epoch {}/{} ", epoch, picture.epochs));
  constexpr int kBar = 24;
  const double share =
      picture.epochs > 0 ? (static_cast<double>(picture.done.empty() ? picture.epoch - 1
                                                                     : picture.done.back().epoch) +
                            picture.share) /
                               static_cast<double>(picture.epochs)
                         : 0;
  const int full = std::clamp(static_cast<int>(share * kBar), 0, kBar);
  std::string bar;
  for (int i = 0; i < kBar; ++i) bar += i < full ? "█" : "░";
  where.add(bar, kLoss);
  switch (picture.state) {
    case RunPicture::State::kTraining:
      if (!picture.note.empty()) {
        where.add("  ").add(printable(picture.note));
      } else if (!picture.done.empty() && picture.done.back().epoch >= picture.epochs) {
        where.add("  trained, the tests follow");
      }
      break;
    case RunPicture::State::kFinished:
      where.add("  finished", kBold);
      break;
    case RunPicture::State::kStopped:
      where.add("  stopped", kBad);
      break;
    case RunPicture::State::kFailed:
      where.add("  failed", kBad);
      break;
  }
  put(where);
  auto speed = line();
  if (!training && !picture.note.empty()) {
    speed.add(printable(picture.note), kBad);
  } else {
    const auto* last = picture.done.empty() ? nullptr : &picture.done.back();
    speed
        .add(fmt::format("{} rows/s",
                         count_text(picture.rows_per_second > 0 ? picture.rows_per_second
                                    : last                      ? last->rows_per_second
                                                                : 0)))
        .add(fmt::format("   {:.0f} % waiting for rows", picture.waited_share * 100));
    if (training) speed.add(fmt::format("   {} left", duration_text(picture.seconds_left)));
  }
  put(speed);
}

void Drawing::charts() {
  Chart loss{"training loss", {}, kLoss}, validation{"validation", {}, kValidation};
  // What a log says is drawn only where sums of it stay finite.
  const auto plain = [](double value) { return std::abs(value) < 1e150; };
  for (const auto& epoch : picture.done) {
    const auto x = static_cast<double>(epoch.epoch);
    if (plain(epoch.loss)) loss.points.emplace_back(x, epoch.loss);
    if (plain(epoch.validation)) validation.points.emplace_back(x, epoch.validation);
  }
  for (const auto& [share, value] : picture.losses) {
    if (plain(value))
      loss.points.emplace_back(static_cast<double>(picture.epoch - 1) + share, value);
  }
  if (!loss.points.empty()) loss.title += " " + number(loss.points.back().second);
  if (!picture.metric.empty()) validation.title += " " + printable(picture.metric);
  if (!validation.points.empty()) validation.title += " " + number(validation.points.back().second);
  // Blank line, title and axis, and behind the curves the table with its heading.
  const int height = std::min(kChartRowsMax, left() - 3 - 2 - kTableRowsMin);
  if (height < 3 || columns < 40) return;
  put(line());
  const int each = (columns - 2) / 2;
  if (const auto* best = picture.best()) {
    const auto more = fmt::format(", best {} of epoch {}", number(best->validation), best->epoch);
    if (width_of(validation.title + more) <= each) validation.title += more;
  }
  const auto left_lines = loss.lines(each, height, colours);
  const auto right_lines = validation.lines(each, height, colours);
  for (size_t i = 0; i < left_lines.size(); ++i) {
    auto padded = left_lines[i];
    padded.pad_to(0);
    // Both are cut to their half already.
    lines.push_back(padded.text() + "  " + right_lines[i].text());
  }
}

void Drawing::table() {
  if (picture.done.empty() || left() < 3) return;
  put(line());
  auto heading = line();
  heading.add(fmt::format("{:>6}{:>11}{:>14.14}{:>11}{:>9}{:>9}{:>10}", "epoch", "loss",
                          picture.metric.empty() ? "validation" : printable(picture.metric), "rate",
                          "rows/s", "waiting", "time"),
              kDim);
  put(heading);
  const auto* best = picture.best();
  const auto tests = picture.test.empty() ? 0 : static_cast<int>(picture.test.size()) + 2;
  const int shown = std::min(static_cast<int>(picture.done.size()), std::max(left() - tests, 1));
  for (auto epoch = picture.done.end() - shown; epoch != picture.done.end(); ++epoch) {
    auto row = line();
    row.add(fmt::format("{:>6}{:>11}{:>14}{:>11}{:>9}{:>7.0f} %{:>10}", epoch->epoch,
                        number(epoch->loss), number(epoch->validation),
                        fmt::format("{:.3g}", epoch->learning_rate),
                        count_text(epoch->rows_per_second), epoch->waited_share * 100,
                        epoch->seconds < 10 ? fmt::format("{:.1f} s", epoch->seconds)
                                            : duration_text(epoch->seconds)),
            &*epoch == best ? kValidation : "");
    if (&*epoch == best) row.add("  best", kValidation);
    put(row);
  }
}

void Drawing::test() {
  if (picture.test.empty()) return;
  std::set<std::string> names;
  for (const auto& [model, metrics] : picture.test) {
    for (const auto& [name, value] : metrics) names.insert(name);
  }
  put(line());
  auto heading = line();
  heading.add(fmt::format("{:<20}", " test"), kDim);
  for (const auto& name : names) heading.add(fmt::format("{:>11.10}", printable(name)), kDim);
  put(heading);
  for (const auto& [model, metrics] : picture.test) {
    auto row = line();
    row.add(fmt::format(" {:<19.19}", printable(model)));
    for (const auto& name : names) {
      const auto found = metrics.find(name);
      row.add(fmt::format("{:>11}", found == metrics.end() ? "-" : number(found->second)));
    }
    put(row);
  }
}

std::pair<int, int> size_of(std::FILE* out) {
  winsize size{};
  if (::ioctl(fileno(out), TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0)
    return {80, 24};
  return {size.ws_col, size.ws_row};
}

}  // namespace

void RunPicture::progress(int64_t now, double its_share, double its_loss) {
  if (now != epoch) losses.clear();
  epoch = now;
  share = its_share > 0 ? std::min(its_share, 1.0) : 0;
  loss = its_loss;
  // A curve has no more points than a wide terminal has dots.
  constexpr size_t kPointsMax = 400;
  if (losses.size() >= kPointsMax) {
    for (size_t i = 0; i < losses.size() / 2; ++i) losses[i] = losses[2 * i];
    losses.resize(losses.size() / 2);
  }
  losses.emplace_back(share, its_loss);
}

void RunPicture::finish(const Epoch& record) {
  while (!done.empty() && done.back().epoch >= record.epoch) done.pop_back();
  done.push_back(record);
  losses.clear();
  loss = kUnknown;
  epoch = std::min(record.epoch + 1, std::max(epochs, record.epoch));
  share = 0;
}

const RunPicture::Epoch* RunPicture::best() const {
  const Epoch* best = nullptr;
  for (const auto& row : done) {
    if (!std::isfinite(row.validation)) continue;
    if (!best ||
        (larger_is_better ? row.validation > best->validation : row.validation < best->validation))
      best = &row;
  }
  return best;
}

std::vector<std::string> draw(const RunPicture& picture, int columns, int rows, bool colours) {
  Drawing drawing{picture, columns, rows, colours};
  drawing.header();
  drawing.charts();
  drawing.table();
  drawing.test();
  return std::move(drawing.lines);
}

bool RunView::possible(std::FILE* out) {
  const char* terminal = std::getenv("TERM");
  return isatty(fileno(out)) != 0 && !(terminal && std::strcmp(terminal, "dumb") == 0);
}

RunView::RunView(std::FILE* out) : out_(out), colours_(!std::getenv("NO_COLOR")) {
  hidden_cursor() = fileno(out_);
  std::fputs("\033[?25l", out_);
}

RunView::~RunView() {
  std::fputs(kShowCursor, out_);
  std::fflush(out_);
  hidden_cursor() = -1;
}

void RunView::show(const RunPicture& picture, bool now) {
  const auto moment = std::chrono::steady_clock::now();
  if (!now && moment - shown_at_ < std::chrono::milliseconds(200)) return;
  shown_at_ = moment;
  const auto [columns, rows] = size_of(out_);
  // In the last column, erasing the rest of a line would erase its last character.
  put(draw(picture, columns - 1, rows - 1, colours_), "");
}

void RunView::print(const std::string& line) { put(shown_, line + "\n"); }

void RunView::put(const std::vector<std::string>& lines, const std::string& above) {
  std::string text = "\r";
  if (!shown_.empty()) text += fmt::format("\033[{}A", shown_.size());
  if (!above.empty()) text += "\033[J" + above;
  text += "\033[?7l";
  for (const auto& line : lines) text += line + "\033[K\n";
  text += "\033[J\033[?7h";
  auto kept = lines;
  shown_ = std::move(kept);
  std::fputs(text.c_str(), out_);
  std::fflush(out_);
}

}  // namespace firesteel::cli
