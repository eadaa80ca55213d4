using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using Dori.Native;
using Spectre.Console.Cli;

namespace Dori.Cli;

/// <summary>Exceptions that reach the end of the program, as one line and an exit code.</summary>
internal static partial class Failures
{
    /// <param name="explain">What the parser of the command line says, for a person.</param>
    public static int Say(Exception e, Shell shell, Func<string, string> explain)
    {
        if (e is AggregateException { InnerException: { } one }) e = one; // of workers: the first speaks for all
        (int code, string message) = e switch
        {
            DoriException => (DoriApp.WrongInput, e.Message),
            CommandAppException => (DoriApp.WrongInput, explain(e.Message)),
            OperationCanceledException =>
                (DoriApp.Interrupted, "interrupted; what is finished stands on disk, and the same command goes on from there"),
            IOException or UnauthorizedAccessException => (DoriApp.WrongInput, e.Message),
            _ => (DoriApp.Failure, $"{Reason(e)}; {Details(e, shell)}"),
        };
        shell.Say(new DoriException(message).Message);
        return code;
    }

    private static string Reason(Exception e) => e switch
    {
        _ when OutOfMemory.Is(e) => $"there is not enough memory ({FirstLine(e)}); a smaller --micro-batch or --generation-batch "
            + "needs less, --dtype bfloat16 half for the UNet; on a GPU see that no other program holds its memory",
        ExternalException => $"libtorch failed: {FirstLine(e)}",
        _ => $"an error of the program itself: {e.GetType().Name}: {FirstLine(e)}",
    };

    private static string FirstLine(Exception e)
    {
        string line = e.Message.Split('\n', 2)[0].Trim();
        return line.Length > 300 ? line[..300] + " ..." : line;
    }

    /// <summary>Writes what a maintainer needs, and says where.</summary>
    private static string Details(Exception e, Shell shell)
    {
        string path = Path.Combine(Path.GetTempPath(), $"dori-failure-{Guid.NewGuid():N}.txt");
        try
        {
            string machine = $"{RuntimeInformation.FrameworkDescription}, {RuntimeInformation.OSDescription}";
            AtomicFile.WriteText(path, $"dori {ProgramVersion.Text}\n{machine}\n"
                + $"{WithoutSecrets(shell.CommandLine)}\n\n{WithoutSecrets(e.ToString())}\n");
            return $"the details are in {path}";
        }
        catch (DoriException)
        {
            return $"its details could not be written to {path}";
        }
    }

    /// <summary>Addresses may carry a user's password or a token.</summary>
    internal static string WithoutSecrets(string text) => Token().Replace(Password().Replace(text, "***@"), "***");

    [GeneratedRegex(@"(?<=://)[^/@\s]+@")]
    private static partial Regex Password();

    [GeneratedRegex(@"\bhf_[A-Za-z0-9]{8,}|(?<=(token|key|password|secret)=)[^&\s']+", RegexOptions.IgnoreCase)]
    private static partial Regex Token();
}
