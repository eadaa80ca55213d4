using Dori.Cli;
using Spectre.Console;

// Without a terminal there is no width to break lines at: a path that a script reads must stay whole.
if (Console.IsOutputRedirected) AnsiConsole.Profile.Width = 10_000;
return DoriApp.Run(args, AnsiConsole.Console, Console.Out, Console.Error);
