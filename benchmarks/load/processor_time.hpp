// processor_time: the seconds a process has spent on a processor, over all its threads, as the kernel's scheduler
// counts them (/proc/PID/task/*/schedstat, in nanoseconds).
#pragma once

#include <dirent.h>

#include <cstdio>
#include <stdexcept>
#include <string>

namespace load {

inline double processor_time(int pid) {
  const std::string folder = "/proc/" + std::to_string(pid) + "/task/";
  DIR* tasks = opendir(folder.c_str());
  if (tasks == nullptr) throw std::runtime_error("no process " + std::to_string(pid) + " to watch");
  double nanoseconds = 0;
  while (const dirent* task = readdir(tasks)) {
    if (task->d_name[0] == '.') continue;
    std::FILE* file = std::fopen((folder + task->d_name + "/schedstat").c_str(), "re");
    if (file == nullptr) continue;  // A thread that ended between readdir and here.
    unsigned long long spent = 0;
    if (std::fscanf(file, "%llu", &spent) == 1) nanoseconds += static_cast<double>(spent);
    std::fclose(file);
  }
  closedir(tasks);
  if (nanoseconds == 0) throw std::runtime_error("this kernel keeps no /proc/PID/task/*/schedstat");
  return nanoseconds / 1e9;
}

}  // namespace load
