using System.Runtime.InteropServices;
using System.Text;

namespace Dori.Tests;

/// <summary>Named pipes, on which opening waits for a writer that never comes.</summary>
internal static class Fifo
{
    public static string Make(string path)
    {
        Assert.Equal(0, MakeFifo(Encoding.UTF8.GetBytes(path + "\0"), 0x180));
        return path;
    }

    [DllImport("libc", EntryPoint = "mkfifo")]
    private static extern int MakeFifo(byte[] path, uint mode);
}
