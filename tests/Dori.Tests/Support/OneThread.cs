using System.Reflection;
using TorchSharp;
using Xunit.v3;

[assembly: Dori.Tests.Support.OneThread]

namespace Dori.Tests.Support;

/// <summary>
/// Each test begins with one thread of libtorch's: the number stays with the thread that a test happens to run on, work that sets it runs
/// in any order, and bits depend on it.
/// </summary>
[AttributeUsage(AttributeTargets.Assembly)]
internal sealed class OneThreadAttribute : BeforeAfterTestAttribute
{
    public override void Before(MethodInfo methodUnderTest, IXunitTest test) => torch.set_num_threads(1);
}
