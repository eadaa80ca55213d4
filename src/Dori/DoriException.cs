namespace Dori;

/// <summary>
/// Wrong input or a wrong argument, said for a person: one line that tells what is wrong, where, and what to do.
/// The command line prints the message alone and exits with code 2.
/// </summary>
public sealed class DoriException : Exception
{
    /// <param name="message">One line; <see cref="Printable.Line"/> makes it one where a stranger's text is in it.</param>
    public DoriException(string message) : base(OneLine(message)) { }

    public DoriException(string message, Exception inner) : base(OneLine(message), inner) { }

    private static string OneLine(string message)
    {
        const int longest = 2000; // names from a hostile file can be megabytes long
        return Printable.Line(message.Length <= longest ? message : message[..longest] + " ...");
    }
}
