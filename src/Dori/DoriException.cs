namespace Dori;

/// <summary>
/// Wrong input or a wrong argument, said for a person: one line that tells what is wrong, where, and what to do.
/// The command line prints the message alone and exits with code 2.
/// </summary>
public sealed class DoriException : Exception
{
    /// <param name="message">One line. Line breaks and control characters from hostile input are replaced by spaces.</param>
    public DoriException(string message) : base(OneLine(message)) { }

    public DoriException(string message, Exception inner) : base(OneLine(message), inner) { }

    private static string OneLine(string message)
    {
        const int longest = 2000; // names from a hostile file can be megabytes long
        string cut = message.Length <= longest ? message : message[..longest] + " ...";
        return string.Create(cut.Length, cut, static (span, text) =>
        {
            for (int i = 0; i < span.Length; i++) span[i] = char.IsControl(text[i]) || char.IsSurrogate(text[i]) ? ' ' : text[i];
        });
    }
}
