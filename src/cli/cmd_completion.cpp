// firesteel completion: scripts for bash and zsh, from the table of commands.
#include <fmt/format.h>

#include "cli/commands.h"

namespace firesteel::cli {

Run completion_command(CLI::App& app, const GlobalOptions&) {
  auto shell = std::make_shared<std::string>("bash");
  app.add_option("shell", *shell, "bash or zsh")->check(CLI::IsMember({"bash", "zsh"}));
  return [shell] {
    std::string names;
    for (const auto& row : kCommands)
      names += fmt::format("{}{}", names.empty() ? "" : " ", row.name);
    if (*shell == "zsh") fmt::print("autoload -U +X bashcompinit && bashcompinit\n");
    fmt::print(
        "_firesteel() {{\n"
        "  local word=${{COMP_WORDS[COMP_CWORD]}}\n"
        "  if [ \"$COMP_CWORD\" = 1 ]; then\n"
        "    COMPREPLY=($(compgen -W \"{}\" -- \"$word\"))\n"
        "  elif [[ $word == -* ]]; then\n"
        "    COMPREPLY=($(compgen -W \"$(firesteel \"${{COMP_WORDS[1]}}\" --help | grep -oE -- "
        "'--[a-z-]+')\" -- \"$word\"))\n"
        "  else\n"
        "    COMPREPLY=($(compgen -f -- \"$word\"))\n"
        "  fi\n"
        "}}\n"
        "complete -o filenames -F _firesteel firesteel\n",
        names);
    return 0;
  };
}

}  // namespace firesteel::cli
