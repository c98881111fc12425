// The main function of several test files that are linked into one program (check.h).
#include "check.h"

int main() { return check::RunAll(); }
