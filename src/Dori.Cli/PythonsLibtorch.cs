using System.ComponentModel;
using System.Diagnostics;

namespace Dori.Cli;

/// <summary>Asks a Python that the user names where its PyTorch keeps libtorch.</summary>
internal static class PythonsLibtorch
{
    // PyTorch is not imported: that takes seconds, and its own libraries could fail.
    private const string Question = "import importlib.util as u, os; s = u.find_spec('torch'); "
        + "print(os.path.join(os.path.dirname(s.origin), 'lib') if s and s.origin else '')";
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    /// <param name="python">Its program, such as <c>python3</c>.</param>
    /// <param name="problem">Why there is none, in a few words.</param>
    /// <returns>The folder; null where there is none.</returns>
    public static string? Folder(string python, out string problem)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(python, ["-c", Question])
            {
                RedirectStandardOutput = true, RedirectStandardError = true,
            })!;
            process.ErrorDataReceived += (_, _) => { };
            process.BeginErrorReadLine();
            Task<string> output = process.StandardOutput.ReadToEndAsync();
            if (!output.Wait(s_patience))
            {
                process.Kill(entireProcessTree: true);
                problem = $"{python} does not answer";
                return null;
            }
            process.WaitForExit();
            string folder = output.Result.Trim();
            problem = folder.Length > 0 ? "" : process.ExitCode == 0 ? $"{python} has no PyTorch" : $"{python} is no Python 3";
            return folder.Length > 0 ? folder : null;
        }
        catch (Win32Exception e)
        {
            problem = $"{python} cannot be run: {e.Message}";
            return null;
        }
    }
}
