using System.Runtime.InteropServices;

namespace Dori.Native;

/// <summary>What libtorch says where memory is short: the processor's allocator, a GPU's.</summary>
internal static class OutOfMemory
{
    private static readonly string[] s_words = ["allocate memory", "out of memory"];

    public static bool Is(Exception e) => e is OutOfMemoryException
        || (e is ExternalException && s_words.Any(words => e.Message.Contains(words, StringComparison.OrdinalIgnoreCase)));
}
