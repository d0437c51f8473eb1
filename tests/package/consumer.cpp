// A C++20 program that knows the installed headers only.
#include <iostream>
#include <tuwen/tuwen.hpp>

int main() { std::cout << tuwen_version() << "\n"; }
