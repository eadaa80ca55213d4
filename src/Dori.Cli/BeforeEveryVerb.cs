using Dori.Native;
using Spectre.Console.Cli;

namespace Dori.Cli;

/// <summary>
/// What holds for all verbs: nothing is computed with a libtorch that cannot be used, and options that were given by a former name are
/// called by their own.
/// </summary>
internal sealed class BeforeEveryVerb(Shell shell) : ICommandInterceptor
{
    public void Intercept(CommandContext context, CommandSettings settings)
    {
        if (settings is not CommonSettings common) return;
        shell.Warn(common.FormerNames);
        if (common.Computes) NativeLibraries.Check(); // what there is to say of it, a model's notes say
    }
}
