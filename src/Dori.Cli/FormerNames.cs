using Spectre.Console.Cli;

namespace Dori.Cli;

/// <summary>Says of options that were given by a former name what they are called now.</summary>
internal sealed class FormerNames(Shell shell) : ICommandInterceptor
{
    public void Intercept(CommandContext context, CommandSettings settings)
    {
        if (settings is CommonSettings common) shell.Warn(common.FormerNames);
    }
}
