using Dori.Cli;
using Spectre.Console;

return DoriApp.Run(args, AnsiConsole.Console, Console.Out, Console.Error);
