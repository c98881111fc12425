// The least that a unit test needs. A program has TEST blocks and ends with RUN_TESTS();
//   TEST(wait_rounds_up) { CHECK_EQ(wait(1), 0); }
// It prints each test's name, goes on after a failed check, and exits with 1 when one failed.
#ifndef TRIPOLL_TEST_NATIVE_CHECK_H_
#define TRIPOLL_TEST_NATIVE_CHECK_H_

#include <cstdio>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

namespace check {

struct Test {
  const char* name;
  void (*run)();
};

inline std::vector<Test>& Tests() {
  static std::vector<Test> tests;
  return tests;
}

inline int& Failures() {
  static int failures = 0;
  return failures;
}

struct Registrar {
  Registrar(const char* name, void (*run)()) { Tests().push_back({name, run}); }
};

inline void Fail(const char* file, int line, const std::string& what) {
  ++Failures();
  std::cout << file << ":" << line << ": " << what << "\n";
}

template <typename A, typename B>
void Equal(const A& actual, const B& expected, const char* text, const char* file, int line) {
  if (actual == expected) return;
  std::ostringstream what;
  what << text << " is " << actual << ", expected " << expected;
  Fail(file, line, what.str());
}

inline int RunAll() {
  int failed = 0;
  for (const Test& test : Tests()) {
    const int before = Failures();
    test.run();
    const bool ok = Failures() == before;
    if (!ok) ++failed;
    std::cout << (ok ? "ok      " : "FAILED  ") << test.name << "\n";
  }
  std::cout << Tests().size() - static_cast<std::size_t>(failed) << " passed, " << failed
            << " failed\n";
  return failed == 0 && !Tests().empty() ? 0 : 1;
}

}  // namespace check

#define TEST(name)                                        \
  static void name();                                     \
  static const check::Registrar name##_test(#name, name); \
  static void name()
#define CHECK(condition) \
  ((condition) ? (void)0 : check::Fail(__FILE__, __LINE__, "not true: " #condition))
#define CHECK_EQ(actual, expected) check::Equal(actual, expected, #actual, __FILE__, __LINE__)
// Of several files that are linked into one program, another has the main function.
#ifdef TRIPOLL_TESTS_IN_ONE_PROGRAM
#define RUN_TESTS() \
  namespace {}
#else
#define RUN_TESTS() \
  int main() { return check::RunAll(); }
#endif

#endif  // TRIPOLL_TEST_NATIVE_CHECK_H_
