// The jobs of this program: each reads a file or folder and prints a table.
#pragma once

#include <firesteel/firesteel.h>

#include <string>

void count_words(const firesteel::Session& spark, const std::string& path);
void summarize_log(const firesteel::Session& spark, const std::string& path);
void list_png_chunks(const firesteel::Session& spark, const std::string& path);
