// Pickles as Python writes them (protocol 5), and that ours are read back.
#include "engine/pickle.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace firesteel {
namespace {

using Kind = PickledValue::Kind;

template <size_t N>
PickledValue read(const char (&bytes)[N]) {
  return unpickled({bytes, N - 1});
}

TEST(Pickle, ReadsBuiltInTypesAndDecimals) {
  // [None, True, 7, -1, 300, 2**40, -(2**70), 2.5, "é", b"ab", [1, 2], (1,), (1, 2, 3, 4),
  //  {"k": [1]}, Decimal("-1.50"), bytearray(b"z"), {3}]
  const auto value = read(
      "\x80\x05\x95\x8d\x00\x00\x00\x00\x00\x00\x00\x5d\x94\x28\x4e\x88\x4b\x07\x4a\xff\xff\xff\xff"
      "\x4d\x2c\x01\x8a\x06\x00\x00\x00\x00\x00\x01\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\xc0\x47"
      "\x40\x04\x00\x00\x00\x00\x00\x00\x8c\x02\xc3\xa9\x94\x43\x02\x61\x62\x94\x5d\x94\x28\x4b\x01"
      "\x4b\x02\x65\x4b\x01\x85\x94\x28\x4b\x01\x4b\x02\x4b\x03\x4b\x04\x74\x94\x7d\x94\x8c\x01\x6b"
      "\x94\x5d\x94\x4b\x01\x61\x73\x8c\x07\x64\x65\x63\x69\x6d\x61\x6c\x94\x8c\x07\x44\x65\x63\x69"
      "\x6d\x61\x6c\x94\x93\x94\x8c\x05\x2d\x31\x2e\x35\x30\x94\x85\x94\x52\x94\x96\x01\x00\x00\x00"
      "\x00\x00\x00\x00\x7a\x94\x8f\x94\x28\x4b\x03\x90\x65\x2e");
  ASSERT_EQ(value.kind, Kind::kList);
  ASSERT_EQ(value.items.size(), 17u);
  EXPECT_EQ(value.items[0].kind, Kind::kNone);
  EXPECT_EQ(value.items[1].kind, Kind::kFlag);
  EXPECT_EQ(value.items[3].number, -1);
  EXPECT_EQ(value.items[4].number, 300);
  EXPECT_EQ(value.items[5].number, int64_t{1} << 40);
  EXPECT_EQ(value.items[6].text, "-1180591620717411303424");
  EXPECT_EQ(value.items[7].real, 2.5);
  EXPECT_EQ(value.items[8].text, "é");
  EXPECT_EQ(value.items[9].kind, Kind::kBytes);
  EXPECT_EQ(value.items[10].items[1].number, 2);
  EXPECT_EQ(value.items[12].kind, Kind::kTuple);
  EXPECT_EQ(value.items[12].items.size(), 4u);
  EXPECT_EQ(value.items[13].items[0].text, "k");
  EXPECT_EQ(value.items[13].items[1].items[0].number, 1);
  EXPECT_EQ(value.items[14].kind, Kind::kDecimal);
  EXPECT_EQ(value.items[14].text, "-1.50");
  EXPECT_EQ(value.items[15].text, "z");
  EXPECT_EQ(value.items[16].kind, Kind::kSet);
}

TEST(Pickle, RemembersWhatStandsTwice) {
  const auto value = read(
      "\x80\x05\x95\x14\x00\x00\x00\x00\x00\x00\x00\x5d\x94\x28\x8c\x04\x73\x61\x6d\x65\x94\x68\x01"
      "\x68\x01\x68\x01\x86\x94\x65\x2e");
  ASSERT_EQ(value.items.size(), 3u);
  EXPECT_EQ(value.items[1].text, "same");
  EXPECT_EQ(value.items[2].items[1].text, "same");
}

TEST(Pickle, NamesAClassThatIsNone) {
  try {
    read(
        "\x80\x05\x95\x20\x00\x00\x00\x00\x00\x00\x00\x8c\x08\x64\x61\x74\x65\x74\x69\x6d\x65\x94"
        "\x8c\x04\x64\x61\x74\x65\x94\x93\x94\x43\x04\x07\xe4\x01\x02\x94\x85\x94\x52\x94\x2e");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.condition(), "PICKLE_ERROR");
    EXPECT_NE(error.message().find("datetime.date"), std::string::npos);
  }
}

TEST(Pickle, RefusesWhatIsCutOrNone) {
  EXPECT_THROW(read("\x80\x05]\x94(K"), Error);
  EXPECT_THROW(read("."), Error);
  EXPECT_THROW(read("\x80\x05\x95"), Error);
  EXPECT_THROW(read("h\x09."), Error);
  EXPECT_THROW(read("e."), Error);
  EXPECT_THROW(unpickled(""), Error);
}

TEST(Pickle, WritesWhatItReads) {
  Pickler out;
  out.mark();
  out.none();
  out.flag(true);
  out.number(-5);
  out.number(int64_t{1} << 50);
  out.real(-0.5);
  out.text("text");
  out.bytes(std::string_view("\0\xff", 2));
  out.decimal("12.30");
  out.decimal("4");
  out.mark();
  out.text("k");
  out.number(1);
  out.dict();
  out.list();
  const auto value = unpickled(out.take());
  ASSERT_EQ(value.items.size(), 10u);
  EXPECT_EQ(value.items[2].number, -5);
  EXPECT_EQ(value.items[3].number, int64_t{1} << 50);
  EXPECT_EQ(value.items[4].real, -0.5);
  EXPECT_EQ(value.items[6].text, std::string("\0\xff", 2));
  EXPECT_EQ(value.items[8].text, "4");
  EXPECT_EQ(value.items[9].kind, Kind::kDict);
}

}  // namespace
}  // namespace firesteel
